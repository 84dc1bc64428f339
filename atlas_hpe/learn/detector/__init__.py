"""Training of `hand_detector`: what it sees, what it is asked, how it is measured."""
