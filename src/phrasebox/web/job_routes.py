"""The HTTP API of jobs: start, list, log, stop, go on."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, Query

from phrasebox.web import workspace_responses as responses
from phrasebox.web.api import ERRORS
from phrasebox.web.job_stages import STAGES
from phrasebox.web.schemas import JobRequest
from phrasebox.web.service import Service


def router(service: Service) -> APIRouter:
    """Routes below ``/jobs``."""
    api = APIRouter(prefix="/jobs", responses=ERRORS, tags=["jobs"])

    @api.get("", response_model=responses.JobsResponse)
    def jobs() -> Any:
        """The jobs of the workspace, newest first, and those that can be started."""
        found = service.jobs.list()
        running = next((job.id for job in found if job.state == "running"), None)
        stages = [
            {"stage": stage.name, "help": stage.help, "options": [asdict(option) for option in stage.options]}
            for stage in STAGES.values()
        ]
        return {"jobs": [service.jobs.to_json(job) for job in found], "running": running, "stages": stages}

    @api.post("", response_model=responses.JobResponse, status_code=201)
    def start(body: JobRequest) -> Any:
        """Start a job; there is one at a time."""
        return service.jobs.start(body.stage, body.options)

    @api.get("/{id}", response_model=responses.JobResponse)
    def job(id: str) -> Any:
        """A job as it is now."""
        return service.jobs.to_json(service.jobs.get(id))

    @api.get("/{id}/log", response_model=responses.LogResponse)
    def log(id: str, offset: int = Query(0, ge=0, lt=1 << 40, description="Byte to begin at.")) -> Any:
        """A part of a job's log."""
        return service.jobs.log(id, offset)

    @api.post("/{id}/stop", response_model=responses.JobResponse)
    def stop(id: str) -> Any:
        """Stop a job; what it has done stays."""
        return service.jobs.stop(id)

    @api.post("/{id}/continue", response_model=responses.JobResponse, status_code=201)
    def go_on(id: str) -> Any:
        """Start a job again with the same options; it does what is missing."""
        return service.jobs.go_on(id)

    return api
