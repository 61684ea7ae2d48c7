"""What goes to the Hub: packages, cards, Spaces, plain exports."""
