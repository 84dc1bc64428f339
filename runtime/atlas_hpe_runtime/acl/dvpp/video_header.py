"""What the sequence parameter set of H.264 or H.265 says, read without decoding anything.

Syntax: ITU-T H.264 section 7.3.2.1.1, ITU-T H.265 section 7.3.2.2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Iterator, Optional, Tuple

from atlas_hpe.errors import SourceError
from atlas_hpe_runtime.acl.dvpp.bits import BitReader, unescape

__all__ = ["CODECS", "VideoHeader", "find_header", "nal_units"]

#: The codecs of the video decoder.
CODECS: Tuple[str, ...] = ("h264", "h265")
_START_CODE = b"\0\0\1"
_H264_SPS, _H265_SPS = 7, 33
#: H.264 profiles whose header tells the chroma format and the bit depth.
_HIGH_PROFILES = frozenset({44, 83, 86, 100, 110, 118, 122, 128, 134, 135, 138, 139, 244})


@dataclass(frozen=True)
class VideoHeader:
    """The properties that decide whether the hardware can decode a stream.

    Attributes:
        codec: ``"h264"`` or ``"h265"``.
        profile: profile_idc.
        level: Level times 10, as people say it: 51 is level 5.1.
        width_px: Width of the pictures that are shown.
        height_px: Height of the pictures that are shown.
        chroma: chroma_format_idc: 0 grey, 1 is 4:2:0, 2 is 4:2:2, 3 is 4:4:4.
        bits: Bits per sample, the larger one of luma and chroma.
        interlaced: Pictures may be fields.
        cropped: Something is cut off at the left or the top.
    """

    codec: str
    profile: int
    level: int
    width_px: int
    height_px: int
    chroma: int
    bits: int
    interlaced: bool
    cropped: bool = False


def nal_units(data: bytes) -> Iterator[bytes]:
    """The NAL units of an annex-B stream, without start codes and the zeros behind them."""
    start = data.find(_START_CODE)
    while start >= 0:
        end = data.find(_START_CODE, start + 3)
        yield (data[start + 3 :] if end < 0 else data[start + 3 : end]).rstrip(b"\0")
        start = end


def find_header(data: bytes, codec: str, where: Optional[object] = None) -> Optional[VideoHeader]:
    """Read the first sequence parameter set in a piece of an annex-B stream.

    Args:
        data: One access unit or more.
        codec: A member of ``CODECS``.
        where: What the user knows the video by.

    Returns:
        What it says, None when there is none in the piece.

    Raises:
        SourceError: The set is damaged.
    """
    read = _read_h264 if codec == "h264" else _read_h265
    for unit in nal_units(data):
        kind = unit[:1] and (unit[0] & 31 if codec == "h264" else unit[0] >> 1 & 63)
        if kind != (_H264_SPS if codec == "h264" else _H265_SPS):
            continue
        try:
            return read(unescape(unit))
        except (EOFError, IndexError) as cause:
            raise SourceError(
                "the video is damaged",
                where=where,
                why="its sequence parameter set ends too early",
                fix="copy it again",
            ) from cause
    return None


def _read_h264(sps: bytes) -> VideoHeader:
    profile, level = sps[1], sps[3]
    bits = BitReader(sps[4:])
    bits.golomb()  # seq_parameter_set_id
    chroma, depth = (_high_profile_part(bits)) if profile in _HIGH_PROFILES else (1, 8)
    bits.golomb()  # log2_max_frame_num_minus4
    _skip_picture_order(bits)
    bits.golomb()  # max_num_ref_frames
    bits.flag()  # gaps_in_frame_num_value_allowed_flag
    columns, rows = bits.golomb() + 1, bits.golomb() + 1
    frames_only = bits.flag()
    if not frames_only:
        bits.flag()  # mb_adaptive_frame_field_flag
    bits.flag()  # direct_8x8_inference_flag
    unit_x = 2 if chroma in (1, 2) else 1
    unit_y = (2 if chroma == 1 else 1) * (1 if frames_only else 2)
    left, right, top, bottom = _window(bits)
    return VideoHeader(
        codec="h264",
        profile=profile,
        level=level,
        width_px=16 * columns - unit_x * (left + right),
        height_px=16 * rows * (1 if frames_only else 2) - unit_y * (top + bottom),
        chroma=chroma,
        bits=depth,
        interlaced=not frames_only,
        cropped=bool(left or top),
    )


def _high_profile_part(bits: BitReader) -> Tuple[int, int]:
    """Chroma format and bit depth."""
    chroma = bits.golomb()
    if chroma == 3:
        bits.flag()  # separate_colour_plane_flag
    depth = 8 + max(bits.golomb(), bits.golomb())
    bits.flag()  # qpprime_y_zero_transform_bypass_flag
    if bits.flag():
        for index in range(12 if chroma == 3 else 8):
            if bits.flag():
                _skip_scaling_list(bits, 16 if index < 6 else 64)
    return chroma, depth


def _skip_scaling_list(bits: BitReader, size: int) -> None:
    last = 8
    for _ in range(size):
        last = (last + bits.signed_golomb()) % 256
        if last == 0:
            return  # the rest repeats what came before, and is not sent


def _skip_picture_order(bits: BitReader) -> None:
    kind = bits.golomb()
    if kind == 0:
        bits.golomb()  # log2_max_pic_order_cnt_lsb_minus4
    elif kind == 1:
        bits.flag()  # delta_pic_order_always_zero_flag
        bits.signed_golomb()  # offset_for_non_ref_pic
        bits.signed_golomb()  # offset_for_top_to_bottom_field
        for _ in range(bits.golomb()):
            bits.signed_golomb()  # offset_for_ref_frame


def _window(bits: BitReader) -> Tuple[int, int, int, int]:
    """What is cut off left, right, top and bottom, in units of the chroma."""
    if not bits.flag():
        return 0, 0, 0, 0
    return bits.golomb(), bits.golomb(), bits.golomb(), bits.golomb()


def _read_h265(sps: bytes) -> VideoHeader:
    bits = BitReader(sps[2:])
    bits.number(4)  # sps_video_parameter_set_id
    sub_layers = bits.number(3)
    bits.flag()  # sps_temporal_id_nesting_flag
    bits.number(3)  # general_profile_space, general_tier_flag
    profile = bits.number(5)
    bits.number(32)  # general_profile_compatibility_flag
    progressive, interlaced = bits.flag(), bits.flag()
    bits.number(46)  # other flags of the profile
    level = bits.number(8)
    _skip_sub_layers(bits, sub_layers)
    bits.golomb()  # sps_seq_parameter_set_id
    chroma = bits.golomb()
    if chroma == 3:
        bits.flag()  # separate_colour_plane_flag
    width_px, height_px = bits.golomb(), bits.golomb()
    left, right, top, bottom = _window(bits)
    unit_x, unit_y = (2 if chroma in (1, 2) else 1), (2 if chroma == 1 else 1)
    return VideoHeader(
        codec="h265",
        profile=profile,
        level=level // 3,  # general_level_idc is 30 times the level
        width_px=width_px - unit_x * (left + right),
        height_px=height_px - unit_y * (top + bottom),
        chroma=chroma,
        bits=8 + max(bits.golomb(), bits.golomb()),
        interlaced=interlaced and not progressive,
        cropped=bool(left or top),
    )


def _skip_sub_layers(bits: BitReader, count: int) -> None:
    told = [(bits.flag(), bits.flag()) for _ in range(count)]
    if count:
        bits.number(2 * (8 - count))  # reserved
    for profile_told, level_told in told:
        bits.number(88 * profile_told + 8 * level_told)
