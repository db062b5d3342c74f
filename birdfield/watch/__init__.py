"""Watch: windows of a scene, the visits they make up, and what is recorded of them."""
