"""From a file of any kind to checked products: inspect, plan, convert, check. Knows nothing of jobs or HTTP."""
