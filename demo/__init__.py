"""The workshop cloud: built by an unmodified AWS client, checked on real packets."""
