"""All that a browser tab remembers: the only readers and writers of st.session_state and of the page's address."""
