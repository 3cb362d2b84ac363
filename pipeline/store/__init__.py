"""What runs keep on the disk, and whether it is still what they wrote."""
