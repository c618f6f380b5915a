"""Where a model comes from: its files are found, checked and loaded, and it is put on a device."""
