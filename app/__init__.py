"""The Streamlit shell: navigation, session state and the components that pages are put together from."""
