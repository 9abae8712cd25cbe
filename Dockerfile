# The service and nothing else: a virtual environment made of wheels, on Python's slim image.

FROM python:3.13-slim AS build
WORKDIR /build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore

# For an image that can send traces, build with REQUIREMENTS=requirements/otel.txt.
ARG REQUIREMENTS=requirements/service.txt
# Dependencies first: they change less often than the code, so this layer is mostly there already.
COPY requirements requirements
RUN python -m venv tools \
    && tools/bin/pip install --require-hashes -r requirements/build.txt \
    # Two of them come as source only: they are built with the tools above, not with whatever is newest today.
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

# A passwd entry, since some libraries ask for the user's name; no shell and no home.
RUN groupadd --gid 10001 expenses \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin expenses
COPY --from=build /venv /venv

ENV PATH=/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    EXPENSES_HOST=0.0.0.0

USER 10001:10001
EXPOSE 8080
HEALTHCHECK --interval=5s --timeout=3s --start-period=30s --retries=3 CMD ["python", "-m", "service.process.health"]
ENTRYPOINT ["expenses"]
CMD ["serve"]
