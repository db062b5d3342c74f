#!/usr/bin/env bash
# Installs on Debian what the complete tests need: PulseAudio for a real microphone path, an RTSP
# server for a real network camera, and Chromium to look at reports.
set -euo pipefail
run=""
[ "$(id -u)" = 0 ] || run="sudo"
$run apt-get update -qq
$run env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
    pulseaudio pulseaudio-utils libasound2-plugins libportaudio2 \
    python3-gi gir1.2-gst-rtsp-server-1.0 \
    gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-bad \
    gstreamer1.0-plugins-ugly \
    chromium
