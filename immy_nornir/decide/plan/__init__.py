"""What to do: desires and findings go in, the plan of one computer and the jobs of its actions come out."""
