"""Posts put onto a topic again: from files, or from another topic at its own pace."""
