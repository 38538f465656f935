"""A simulated fleet that speaks real WS-Management; shares only wire constants with remote."""
