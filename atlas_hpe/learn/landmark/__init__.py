"""Training of `hand_landmark`: what it sees, what it is asked, how it is measured."""
