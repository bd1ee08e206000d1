# The image has the service only: no torch, no training, no tests, no compiler.
ARG BASE_IMAGE=python:3.12-slim
ARG NODE_IMAGE=node:22-slim

FROM ${NODE_IMAGE} AS runtime
WORKDIR /build
COPY mobile_client/device/runtime.json ./
RUN npm pack --ignore-scripts "$(node --print 'const { package: name, version } = require("./runtime.json"); `${name}@${version}`')"

FROM ${BASE_IMAGE} AS build
# [ray] for deploy/ray
ARG EXTRAS=
WORKDIR /build
RUN python -m venv --without-pip /opt/venv
# Install the dependencies with a stub of the package first, so that this layer stays cached until
# they change.
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY service/__init__.py service/
RUN mkdir service/audio service/beetsplug service/cluster service/heads service/library service/library/tags service/mcp service/music service/web service/web/middleware service/web/routes mobile_client
RUN pip --python /opt/venv/bin/python install --no-cache-dir -c constraints.txt ".${EXTRAS}"
RUN find /opt/venv -depth -type d -name tests -exec rm -r {} +
COPY service service
COPY mobile_client mobile_client
RUN pip --python /opt/venv/bin/python install --no-cache-dir --no-deps --force-reinstall .

FROM build AS device
COPY tools/__init__.py tools/device.py tools/
COPY --from=runtime /build/*.tgz build/
RUN /opt/venv/bin/python -m tools.device /opt/device

FROM ${BASE_IMAGE} AS service
COPY --from=build /opt/venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    FIFTEEN_HOST=0.0.0.0 \
    FIFTEEN_LOG_FORMAT=json
USER 10001:10001
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
  CMD ["python", "-c", "import os, urllib.request as r; r.urlopen(f\"http://127.0.0.1:{os.getenv('FIFTEEN_PORT', '8000')}/readyz\", timeout=4)"]
CMD ["python", "-m", "service"]

# `--target with-device`: the web app can answer on the phone itself
FROM service AS with-device
COPY --from=device /opt/device /opt/device
ENV FIFTEEN_DEVICE=/opt/device

# without a target
FROM service
