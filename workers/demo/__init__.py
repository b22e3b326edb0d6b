"""`sake demo`: posts through the whole system, and a screen that shows what comes out."""
