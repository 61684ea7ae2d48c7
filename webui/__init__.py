"""The page: layout, charts and words. It knows `phonolinguistic`; nothing in `phonolinguistic` knows it."""
