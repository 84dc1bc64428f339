"""Pictures as a clip."""

from __future__ import annotations

import io
from pathlib import Path
from typing import List, Tuple

import cv2
import numpy as np
import pytest
from PIL import Image

from atlas_hpe.errors import InputError, SourceError
from atlas_hpe_pipelines.sources import SourceOptions, open_source


def write_pictures(folder: Path, count: int, suffix: str = ".png") -> List[Path]:
    """Pictures whose level is ten times their number."""
    paths = [folder / f"f{number}{suffix}" for number in range(count)]
    for number, path in enumerate(paths):
        cv2.imwrite(str(path), np.full((6, 8, 3), 10 * number, np.uint8))
    return paths


def jpeg(size_px: Tuple[int, int] = (64, 48), **options: object) -> bytes:
    """A JPEG that is dark on the left and bright on the right."""
    levels = np.tile(np.linspace(0, 255, size_px[0]), (size_px[1], 1)).astype(np.uint8)
    stream = io.BytesIO()
    Image.fromarray(levels).convert("RGB").save(stream, "JPEG", quality=95, **options)
    return stream.getvalue()


def test_pictures_of_a_folder_come_in_order_at_the_given_rate(tmp_path: Path) -> None:
    write_pictures(tmp_path, 12)
    source = open_source(tmp_path, SourceOptions(fps=12))
    frames = list(source.frames())
    assert (source.size_px, source.fps, source.frame_count) == ((8, 6), 12, 12)
    assert (source.depth, source.live, source.dropped) == (False, False, 0)
    assert [frame.index for frame in frames] == list(range(12))
    assert [frame.image[0, 0, 0] for frame in frames] == [10 * index for index in range(12)]
    np.testing.assert_allclose([frame.time_s for frame in frames], np.arange(12) / 12)
    assert source.warnings == []
    source.close()


def test_a_rate_that_nobody_gave_is_said(tmp_path: Path) -> None:
    paths = write_pictures(tmp_path, 2)
    source = open_source(tmp_path)
    assert source.fps == 30
    assert source.warnings == [f"{tmp_path}: pictures carry no time, 30 frames/s assumed"]
    assert open_source(paths[0]).warnings == []  # one picture has no rate


def test_one_picture_is_a_clip_of_one_frame(tmp_path: Path) -> None:
    source = open_source(write_pictures(tmp_path, 2)[1])
    frames = list(source.frames())
    assert source.frame_count == 1
    assert [(frame.index, frame.time_s, frame.image[0, 0, 0]) for frame in frames] == [(0, 0, 10)]


def test_a_folder_with_mixed_files_counts_those_it_leaves_out(tmp_path: Path) -> None:
    write_pictures(tmp_path, 2)
    for name in ("notes.md", "clip.mp4", ".hidden"):
        (tmp_path / name).write_bytes(b"?")
    source = open_source(tmp_path, SourceOptions(fps=30))
    assert len(list(source.frames())) == 2
    assert source.warnings == [f"{tmp_path}: files that are no pictures: 2"]


def test_damaged_pictures_leave_gaps_and_a_warning(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    paths = write_pictures(tmp_path, 6)
    paths[0].write_bytes(b"")
    paths[2].write_bytes(b"not a picture")
    paths[4].unlink()
    source = open_source([*paths[:4], paths[5]], SourceOptions(fps=10))
    paths[3].unlink()  # after it was listed
    frames = list(source.frames())
    assert [(frame.index, frame.time_s) for frame in frames] == [(1, 0.1), (4, 0.4)]
    assert [frame.image[0, 0, 0] for frame in frames] == [10, 50]
    assert source.warnings == [
        f"{paths[0]} and 4 more: pictures left out: 3 of 5 "
        f"(the first: {paths[0]}: the file is empty (0 bytes))"
    ]
    assert capfd.readouterr().err == ""


def test_without_any_sound_picture_there_is_one_clear_error(tmp_path: Path) -> None:
    for path in write_pictures(tmp_path, 3):
        path.write_bytes(b"not a picture")
    with pytest.raises(SourceError, match="none of the 3 pictures can be decoded") as caught:
        open_source(tmp_path)
    reason = "it is not a picture, or it is damaged"
    assert caught.value.why == f"the first: {tmp_path / 'f0.png'}: {reason}"
    with pytest.raises(SourceError, match="the picture can't be decoded") as caught:
        open_source(tmp_path / "f0.png")
    assert (caught.value.where, caught.value.why) == (str(tmp_path / "f0.png"), reason)


def test_a_jpeg_that_is_cut_off_is_not_shown_half_grey(tmp_path: Path) -> None:
    # A preview within the picture has an end of its own, which must not be taken for the end.
    exif = b"Exif\0\0" + jpeg((16, 16))
    whole = jpeg(exif=exif)
    path = tmp_path / "a.jpg"
    path.write_bytes(whole + b"what a phone appends \xff\xda")
    assert len(list(open_source(path).frames())) == 1
    for size in (len(whole) * 3 // 4, len(whole) - 2, len(exif) + 10, 10, 3):
        path.write_bytes(whole[:size])
        with pytest.raises(SourceError, match="can't be decoded") as caught:
            open_source(path)
        assert caught.value.why == "it is cut off"


def test_progressive_and_padded_jpegs_are_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    progressive = jpeg(progressive=True)
    for data in (progressive, progressive[:2] + b"\xff" + progressive[2:]):
        path.write_bytes(data)
        assert len(list(open_source(path).frames())) == 1


def test_exif_rotation_is_applied(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise: the left becomes the top
    (tmp_path / "a.jpg").write_bytes(jpeg(exif=exif.tobytes()))
    source = open_source(tmp_path / "a.jpg")
    image = next(source.frames()).image
    assert source.size_px == (48, 64) == image.shape[1::-1]
    assert image[:8].mean() < 40 and image[-8:].mean() > 215


@pytest.mark.parametrize(
    "suffix", [".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff", ".ppm"]
)
def test_every_kind_of_picture_is_bgr(tmp_path: Path, suffix: str) -> None:
    blue = np.zeros((32, 32, 3), np.uint8)
    blue[..., 0] = 200
    cv2.imwrite(str(tmp_path / f"a{suffix}"), blue)
    image = next(open_source(tmp_path / f"a{suffix}").frames()).image
    assert image.dtype == np.uint8
    np.testing.assert_allclose(image.reshape(-1, 3).mean(axis=0), [200, 0, 0], atol=6)


def test_grey_palettes_transparency_and_16_bit_colour_become_8_bit_bgr(tmp_path: Path) -> None:
    red = Image.new("RGB", (8, 6), (200, 100, 0))
    red.convert("L").save(tmp_path / "1.png")
    red.quantize(4).save(tmp_path / "2.png")
    red.convert("RGBA").save(tmp_path / "3.png")
    deep = np.zeros((6, 8, 3), np.uint16)
    deep[:] = (0, 100 << 8, 200 << 8)
    cv2.imwrite(str(tmp_path / "4.png"), deep)
    Image.new("1", (8, 6), 1).save(tmp_path / "5.png")
    source = open_source(tmp_path)
    frames = list(source.frames())
    assert {frame.image.shape for frame in frames} == {(6, 8, 3)}
    assert {frame.image.dtype for frame in frames} == {np.dtype(np.uint8)}
    grey = round(0.299 * 200 + 0.587 * 100)
    expected = [[grey] * 3, [0, 100, 200], [0, 100, 200], [0, 100, 200], [255] * 3]
    for frame, colour in zip(frames, expected):
        np.testing.assert_allclose(frame.image[0, 0], colour, atol=2)
    assert not source.depth


def test_sizes_that_differ_are_given_as_they_are(tmp_path: Path) -> None:
    for number, size in enumerate([(4, 6), (9, 3), (1, 1)]):
        cv2.imwrite(str(tmp_path / f"{number}.png"), np.zeros((*size, 3), np.uint8))
    source = open_source(tmp_path)
    assert source.size_px == (6, 4)
    assert [frame.size_px for frame in source.frames()] == [(6, 4), (3, 9), (1, 1)]


def test_names_of_any_bytes_are_read(tmp_path: Path) -> None:
    path = write_pictures(tmp_path, 1)[0]
    odd = tmp_path / "bad\udcff \u00e4.png"
    path.rename(odd)
    assert len(list(open_source(odd).frames())) == 1


def test_a_picture_larger_than_opencv_takes_is_one_clear_error(tmp_path: Path) -> None:
    # The header of a PGM promises 2 ** 32 pixels.
    (tmp_path / "a.pgm").write_bytes(b"P5\n65536 65536\n255\n" + bytes(100))
    with pytest.raises(SourceError, match="the picture can't be decoded"):
        open_source(tmp_path / "a.pgm")


def test_a_folder_that_may_not_be_read_is_one_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: str) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("os.scandir", refuse)
    with pytest.raises(InputError, match="the folder can't be read") as caught:
        open_source(tmp_path)
    assert caught.value.why == "Permission denied"


def test_real_pictures_are_read(shared_data: Path) -> None:
    source = open_source(shared_data / "annotated" / "images")
    assert len(list(source.frames())) == source.frame_count == 8
