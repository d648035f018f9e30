# Kveik, compiled, in a small image: see docs/running.md.
FROM python:3.13-slim AS build
RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev
COPY . /source
RUN pip wheel --no-cache-dir --wheel-dir /wheels /source

FROM python:3.13-slim
RUN --mount=from=build,source=/wheels,target=/wheels \
    pip install --no-cache-dir --no-index --find-links /wheels kveik \
    && useradd --system --uid 10001 --no-create-home kveik \
    && install --directory --owner kveik --mode 700 /data
USER kveik
VOLUME /data
EXPOSE 6379
STOPSIGNAL SIGTERM
# loopback would be the container's own; set KVEIK_PASSWORD unless the port is published to nobody
ENV KVEIK_HOST=0.0.0.0 KVEIK_PORT=6379 KVEIK_DATA_DIR=/data/db KVEIK_SNAPSHOT_DIR=/data/snapshots
ENTRYPOINT ["kveik"]
CMD ["serve"]
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s CMD ["python3", "-c", "import socket; \
s = socket.create_connection(('127.0.0.1', 6379), 4); s.sendall(b'PING\\r\\n'); \
exit(b'PONG' not in s.recv(99))"]
