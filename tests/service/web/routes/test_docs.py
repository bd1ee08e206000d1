import base64
import hashlib
import re


def test_everything_on_the_page_is_served_here(client):
    page = client.get("/docs").text
    needed = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert len(needed) == 3
    assert all(client.get(f"/{path}").status_code == 200 for path in needed)
    assert "//" not in re.sub(r"/\*.*?\*/|^\s*//.*$", "", page, flags=re.DOTALL | re.MULTILINE)


def test_the_policy_lets_its_script_run_and_no_other(client):
    response = client.get("/docs")
    (script,) = re.findall(r"<script>(.*?)</script>", response.text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = response.headers["content-security-policy"]
    assert f"script-src 'self' 'sha256-{digest}';" in policy
