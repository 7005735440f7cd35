"""Parts without a subject: errors as sentences, galleries, charts, colours, slow work beside the page."""
