"""Maps of embeddings: t-SNE and UMAP layouts, and the figures that say what a layout cannot."""
