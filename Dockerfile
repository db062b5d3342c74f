# docker build -t birdfield .
# docker run --init --restart unless-stopped --read-only --cap-drop ALL \
#     --device /dev/video0 --device /dev/snd --group-add video --group-add audio \
#     -v "$PWD/garden:/garden" -v "$PWD/config:/config:ro" birdfield
FROM python:3.11-slim-bookworm AS build
WORKDIR /src
COPY pyproject.toml hatch_build.py README.md LICENSE NOTICE ./
COPY birdfield birdfield
COPY train train
COPY export export
RUN python -m venv /opt/birdfield \
    && /opt/birdfield/bin/pip install --no-cache-dir .

FROM python:3.11-slim-bookworm
# Microphones need the system's PortAudio.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends libportaudio2 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --create-home --groups audio,video birdfield \
    && install --directory --owner=birdfield --mode=0700 /garden
COPY --from=build /opt/birdfield /opt/birdfield
ENV PATH=/opt/birdfield/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    XDG_RUNTIME_DIR=/dev/shm \
    BIRDFIELD_WATCHDOG_S=60
USER 10001
WORKDIR /garden
VOLUME /garden
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=1m --timeout=10s --start-period=3m \
    CMD ["birdfield", "status"]
ENTRYPOINT ["birdfield"]
CMD ["--log", "json", "watch", "--config", "/config/birdfield.toml"]
