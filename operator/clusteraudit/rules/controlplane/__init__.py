"""Rules of the control plane: API server, etcd, controllers."""
