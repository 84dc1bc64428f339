"""Random views of labelled pictures: geometry, light, occluders."""
