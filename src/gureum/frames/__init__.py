"""Frames taken apart layer by layer for people, and written down for other programs.

What comes here was sent by hosts that nobody vouches for: whatever is short, odd or hostile is
shown as far as it can be read and never raises.  Pure; only this room knows dpkt.
"""

from gureum.frames.decode import decode
from gureum.frames.layers import Field, Frame, Layer
from gureum.frames.pcap import PcapWriter
from gureum.frames.streams import Streams

__all__ = ["Field", "Frame", "Layer", "PcapWriter", "Streams", "decode"]
