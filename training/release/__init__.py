"""What only the embedded release needs: pruning and assembling its networks."""
