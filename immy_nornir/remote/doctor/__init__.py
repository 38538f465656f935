"""Looking a computer over: what stands between it and us, and what it says of itself; reads only."""
