"""Where events go beside ZeroMQ: files of JSON lines, webhooks, MQTT."""
