"""Where a network looks: saliency maps, their checks, and galleries of images with maps."""
