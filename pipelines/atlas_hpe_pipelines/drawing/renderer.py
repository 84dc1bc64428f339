"""The pictures of a run: each frame in the size of the outputs, with everything drawn on it."""

from __future__ import annotations

from typing import List, Optional, Sequence, Tuple

import cv2
import numpy as np

from atlas_hpe.geometry import apply_affine
from atlas_hpe.poses import Frame, HandPose
from atlas_hpe_pipelines.buffers import PictureBuffers
from atlas_hpe_pipelines.drawing.heatmap import HeatmapPainter
from atlas_hpe_pipelines.drawing.labels import Label, describe_hand, write_labels
from atlas_hpe_pipelines.drawing.layout import Rect, fit_rect, plan_layout
from atlas_hpe_pipelines.drawing.options import DrawOptions
from atlas_hpe_pipelines.drawing.scaling import Scaler
from atlas_hpe_pipelines.drawing.side_view import SideView
from atlas_hpe_pipelines.drawing.skeleton import draw_skeleton, outline_bgr

__all__ = ["Renderer"]

_BORDER_BGR = (25, 25, 25)  # around a frame of another shape than the first


class Renderer:
    """Draws one frame after the other.

    A frame is shrunk first and drawn on then: lines stay crisp, and less is painted. For one thread
    at a time.

    Args:
        options: What is drawn.
        source_size_px: Width and height of the source's first frame.
        max_width_px: Wider pictures are shrunk to this; None for none.

    Attributes:
        picture_size_px: Width and height of every picture.
    """

    def __init__(
        self,
        options: DrawOptions,
        source_size_px: Tuple[int, int],
        max_width_px: Optional[int] = None,
    ) -> None:
        self._options = options
        self._layout = plan_layout(options, source_size_px, max_width_px)
        self._source_size_px = source_size_px
        self.picture_size_px = self._layout.size_px
        self._buffers = PictureBuffers()
        self._scaler = Scaler()
        drawn, panel = self._layout.drawn, self._layout.side_view
        room_px = (drawn.width, drawn.height)
        self._heat = HeatmapPainter(room_px) if options.heatmap else None
        self._side = None if panel is None else SideView((panel.width, panel.height), room_px)

    def draw(self, frame: Frame, hands: Sequence[HandPose]) -> np.ndarray:
        """The picture of one frame.

        A frame of another size than the first is fitted into the picture, on a dark ground.

        Args:
            frame: Stays as it is.
            hands: Its hands, joints in its pixels.

        Returns:
            (height, width, 3) uint8, BGR, of ``picture_size_px``; the caller's for as long as it
            refers to it.
        """
        width, height = self.picture_size_px
        canvas = self._buffers.take((height, width, 3))
        picture = self._layout.drawn.of(canvas)
        affine = self._place(frame.image, picture)
        if self._layout.untouched is not None:
            # NumPy would copy twice: it does not see that the two parts have no pixel in common.
            untouched = self._layout.untouched.of(canvas)
            cv2.copyTo(picture, None, untouched)  # type: ignore[call-overload] # it takes None
        places = [apply_affine(affine, hand.joints) for hand in hands]
        if self._heat is not None:
            for hand in hands:
                if hand.heatmaps is not None:
                    self._heat.paint(picture, hand.heatmaps, affine)
        self._draw_hands(picture, hands, places)
        if self._side is not None and self._layout.side_view is not None:
            scale = float(np.sqrt(abs(np.linalg.det(affine[:, :2]))))
            self._side.draw(self._layout.side_view.of(canvas), hands, places, scale)
        return canvas

    def _place(self, image: np.ndarray, picture: np.ndarray) -> np.ndarray:
        """Put a frame into its place; the (2, 3) map from its pixels to those of the picture."""
        height, width = image.shape[:2]
        room_px = (picture.shape[1], picture.shape[0])
        rect = Rect(0, 0, *room_px)
        if (width, height) != self._source_size_px:
            rect = fit_rect((width, height), room_px)
            picture[:] = _BORDER_BGR
        self._scaler.copy(image, rect.of(picture), mirror=self._options.mirror)
        scale_x, scale_y = rect.width / width, rect.height / height
        if self._options.mirror:
            return np.array([[-scale_x, 0, rect.x + rect.width], [0, scale_y, rect.y]])
        return np.array([[scale_x, 0, rect.x], [0, scale_y, rect.y]])

    def _draw_hands(
        self, picture: np.ndarray, hands: Sequence[HandPose], places: Sequence[np.ndarray]
    ) -> None:
        labels: List[Label] = []
        for hand, joints in zip(hands, places):
            outline = outline_bgr(hand.track_id)
            scores = hand.joint_scores if self._options.scores else None
            draw_skeleton(picture, joints, outline, scores)
            if self._options.labels:
                text = describe_hand(hand, score=self._options.scores)
                labels.append(Label(text, joints, outline))
        write_labels(picture, labels)
