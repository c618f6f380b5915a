"""The server: any study, split and setting may stand here. `uvicorn server.app:app --port 8000`"""

from shiftgym.integrations.openenv import create_app

app = create_app("points-text")
