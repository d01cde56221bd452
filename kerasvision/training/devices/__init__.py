"""Where a training runs: processors, replicas, machines, precision."""
