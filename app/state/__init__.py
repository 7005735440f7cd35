"""Everything that reads or writes st.session_state or the address."""
