"""What can be learned: one folder per task, all behind `base.Task`."""
