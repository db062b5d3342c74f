"""Watch: the windows of a scene, the visits that they form, and the journal of them."""
