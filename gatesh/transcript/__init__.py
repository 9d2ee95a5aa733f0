"""Keep what a command said: record it, play it, hand it out."""
