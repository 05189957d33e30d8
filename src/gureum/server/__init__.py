"""The server: the HTTP application, the dispatch of API calls, the daemon that holds a cloud."""
