"""Work on single images, in one process or in many."""
