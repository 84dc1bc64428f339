"""``atlas-hpe serve``: a web page for a board without a screen.

A ``LiveView`` is the sink of a pipeline, a ``Runner`` plays pipelines into it, and a server hands
out what is newest to everybody who asks. Whoever is slow gets fewer frames; nobody is waited for.
"""

from __future__ import annotations

from atlas_hpe_pipelines.serve.live_page import DEFAULT_PORT, LivePage, check_web_extra
from atlas_hpe_pipelines.serve.live_view import LiveView
from atlas_hpe_pipelines.serve.runner import Runner

__all__ = ["DEFAULT_PORT", "LivePage", "LiveView", "Runner", "check_web_extra"]
