@echo off
rem Double-click: sends the folder beside this file, prints the cells for the notebook, then follows every change
rem until Ctrl-C or until the window is closed. What to send, and where to, stands in reconcile.yaml.
cd /d "%~dp0"
python -m reconcile --version
if errorlevel 1 (
  echo Install it first:  python -m pip install reconcile
  pause
  exit /b 1
)
python -m reconcile apply --auto-approve
python -m reconcile watch
pause
