# This program, as the exporter of the platform's monitoring runs it: `make image`.
#
# Its dependencies are those of uv.lock and lie in a layer of their own, so that another version of the program is a small
# layer more. It writes nothing in here and needs no rights: whose files it may read, the Compose file says.
ARG PARENT=python:3.13-slim
FROM $PARENT AS dependencies
# As in the Makefile.
ARG UV_VERSION=0.13.9
ENV UV_PYTHON_DOWNLOADS=never UV_PROJECT_ENVIRONMENT=/opt/sutazai UV_LINK_MODE=copy UV_COMPILE_BYTECODE=1 UV_NO_CACHE=1
RUN python3 -m venv /opt/uv && /opt/uv/bin/pip install --quiet --no-cache-dir "uv==$UV_VERSION"
WORKDIR /opt/program
COPY pyproject.toml uv.lock ./
RUN /opt/uv/bin/uv sync --quiet --locked --no-dev --no-install-project --python "$(command -v python3)"

FROM $PARENT
COPY --from=dependencies /opt/sutazai /opt/sutazai
COPY dagster.yaml /opt/program/sutazai_ops/
COPY sutazai_ops /opt/program/sutazai_ops
ENV PATH=/opt/sutazai/bin:$PATH PYTHONPATH=/opt/program PYTHONUNBUFFERED=1
# A read-only root cannot keep what Python compiles.
RUN python3 -m compileall -q /opt/program
ENV PYTHONDONTWRITEBYTECODE=1 MPLCONFIGDIR=/tmp/matplotlib
USER 65534:65534
EXPOSE 9177
ENTRYPOINT ["python3", "-m", "sutazai_ops.cli"]
CMD ["exporter", "--address", "0.0.0.0"]
