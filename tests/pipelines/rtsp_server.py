"""A small RTSP server for tests: H.264 in RTP, interleaved in the connection.

RFC 2326 (RTSP), RFC 2617 (Digest), RFC 6184 (RTP of H.264; each NAL unit fits in one packet here).
"""

from __future__ import annotations

import base64
import hashlib
import re
import struct
import subprocess
from typing import List, Optional

import imageio_ffmpeg
import numpy as np
from stream_servers import PASSWORD, USER, Connection, Handler

__all__ = ["h264_pictures", "rtsp"]

_STEP = 90_000 // 25  # of the RTP clock, for each picture
_REALM, _NONCE = "cam", "0123456789abcdef"

#: The NAL units of one picture.
Picture = List[bytes]


def h264_pictures(count: int, size: str = "64x48") -> List[Picture]:
    """Pictures that grow brighter; each can be decoded alone, and is not held back."""
    width, height = (int(number) for number in size.split("x"))
    grey = np.repeat(np.arange(count, dtype=np.uint8) * 2 % 240, width * height * 3)
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-loglevel", "error", "-f", "rawvideo"]
    command += ["-pix_fmt", "rgb24", "-s", size, "-r", "25", "-i", "-", "-c:v", "libx264"]
    command += ["-profile:v", "baseline", "-tune", "zerolatency", "-g", "1"]
    command += ["-x264-params", "slices=1:sliced-threads=0:aud=1:repeat-headers=1"]
    command += ["-pix_fmt", "yuv420p", "-f", "h264", "-"]
    stream = subprocess.run(
        command, input=grey.tobytes(), check=True, timeout=60, stdout=subprocess.PIPE
    ).stdout
    pictures: List[Picture] = []
    for unit in re.split(rb"\x00?\x00\x00\x01", stream)[1:]:
        if unit[0] & 31 == 9:  # an access unit delimiter begins a picture
            pictures.append([])
        else:
            pictures[-1].append(unit)
    return pictures


def rtsp(
    pictures: List[Picture],
    *,
    every_s: float = 0.02,
    then: str = "close",
    password: Optional[str] = None,
    status: str = "200 OK",
) -> Handler:
    """Send pictures to each client that asks for them.

    Args:
        pictures: Each once.
        every_s: Seconds between them.
        then: What comes behind the last: ``"close"`` or ``"stall"``.
        password: How the password is asked for: ``"Basic"``, ``"Digest"``, None for not at all.
        status: The answer to DESCRIBE.
    """

    def serve(connection: Connection) -> None:
        while True:
            method = connection.request[0].split()[0]
            number = connection.header("CSeq")
            extra, body = "", b""
            code = "200 OK"
            if method != "OPTIONS" and password and not _is_let_in(connection, password, method):
                code = "401 Unauthorized"
                extra = f'WWW-Authenticate: {password} realm="{_REALM}"'
                extra += f', nonce="{_NONCE}"\r\n' if password == "Digest" else "\r\n"
            elif method == "DESCRIBE":
                code, body = status, _describe(pictures[0])
                extra = "Content-Type: application/sdp\r\n"
            elif method == "SETUP":
                extra = "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n"
            if code == "200 OK" and method in ("SETUP", "PLAY"):
                extra += "Session: 12345678\r\n"
            head = f"RTSP/1.0 {code}\r\nCSeq: {number}\r\n{extra}Content-Length: {len(body)}\r\n"
            connection.send(f"{head}\r\n".encode() + body)
            if method == "PLAY" and code == "200 OK":
                _play(connection, pictures, every_s)
                if then == "stall":
                    connection.closing.wait()
                return
            if not connection.read_head():
                return

    return serve


def _play(connection: Connection, pictures: List[Picture], every_s: float) -> None:
    sequence = 0
    for index, picture in enumerate(pictures):
        for unit in picture:
            is_last = unit is picture[-1]
            header = struct.pack(
                ">BBHII", 0x80, 96 | is_last << 7, sequence & 0xFFFF, index * _STEP, 0x5EED
            )
            packet = header + unit
            connection.send(struct.pack(">cBH", b"$", 0, len(packet)) + packet)
            sequence += 1
        if connection.closing.wait(every_s):
            return


def _describe(picture: Picture) -> bytes:
    """The session description (RFC 4566) with the parameter sets."""
    sets = [unit for unit in picture if unit[0] & 31 in (7, 8)]
    parameters = ",".join(base64.b64encode(unit).decode() for unit in sets)
    lines = ["v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=test", "c=IN IP4 0.0.0.0", "t=0 0"]
    lines += ["m=video 0 RTP/AVP 96", "a=rtpmap:96 H264/90000"]
    lines += [f"a=fmtp:96 packetization-mode=1; sprop-parameter-sets={parameters}"]
    return "\r\n".join([*lines, "a=control:track1", ""]).encode()


def _is_let_in(connection: Connection, scheme: str, method: str) -> bool:
    given = connection.header("Authorization")
    if scheme == "Basic":
        return given == "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    values = dict(re.findall(r'(\w+)="([^"]*)"', given))
    secret = _md5(f"{USER}:{_REALM}:{PASSWORD}")
    wanted = _md5(f"{secret}:{_NONCE}:{_md5(method + ':' + values.get('uri', ''))}")
    return values.get("response") == wanted


def _md5(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()
