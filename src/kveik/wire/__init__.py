"""What a request and a reply look like: pure bytes <-> values, fed at any split point."""
