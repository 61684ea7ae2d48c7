"""The flat files that travel to the Hub: they import nothing but each other, torch and transformers."""
