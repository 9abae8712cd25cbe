# The image holds a virtual environment with the service, on Python's slim image. Everything in it is installed from wheels.

FROM python:3.13-slim AS build
WORKDIR /build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore

# For an image that can send traces, build with REQUIREMENTS=requirements/otel.txt.
ARG REQUIREMENTS=requirements/service.txt
# The dependencies come first: they change less often than the code, so Docker mostly reuses this layer.
COPY requirements requirements
RUN python -m venv tools \
    && tools/bin/pip install --require-hashes -r requirements/build.txt \
    # Two dependencies come as source only. They are built with the pinned tools above, not with the newest ones.
    && tools/bin/pip wheel --require-hashes --no-build-isolation --wheel-dir wheels -r "$REQUIREMENTS"

COPY pyproject.toml setup.cfg README.md LICENSE ./
COPY service service
COPY sql sql
COPY migrations migrations
RUN tools/bin/pip wheel --no-deps --no-build-isolation --wheel-dir wheels . \
    && python -m venv --without-pip /venv \
    && tools/bin/pip --python /venv/bin/python install --no-index --no-deps --compile wheels/*.whl


FROM python:3.13-slim
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Team Expense Tracker API" \
      org.opencontainers.image.description="Records who paid what for whom, and always knows who owes whom." \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.licenses="MIT"

# The user has an entry in passwd, because some libraries ask for its name, but no shell and no home.
RUN groupadd --gid 10001 expenses \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin expenses
COPY --from=build /venv /venv

ENV PATH=/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    EXPENSES_HOST=:: \
    EXPENSES_UNKNOWN_SETTINGS=warn

USER 10001:10001
# That of `serve`, and that of `worker`, whose health check has `worker` as a further argument.
EXPOSE 8080 8081
HEALTHCHECK --interval=5s --timeout=3s --start-period=30s --retries=3 CMD ["python", "-m", "service.process.health"]
ENTRYPOINT ["expenses"]
CMD ["serve"]
