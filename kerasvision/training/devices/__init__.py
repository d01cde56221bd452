"""What a training runs on: processors, replicas, machines, precision."""
