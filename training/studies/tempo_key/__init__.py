"""Study: fits tempo and key to a corpus that has their truth, and reports how right they are."""
