"""Questions of the gate that have rules of their own; pure."""
