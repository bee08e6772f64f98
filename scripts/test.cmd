@echo off
rem Untried on Windows: written with care, never run there.
rem The whole gate: install and build, type check, lint, all tests, short simulations. Stops at the first step that fails, and names it.
setlocal
cd /d "%~dp0.."
set "step=install and build"
call scripts\lib.cmd
if errorlevel 1 goto failed
set "step=type check"
call npm run --silent typecheck
if errorlevel 1 goto failed
set "step=lint"
call npm run --silent lint
if errorlevel 1 goto failed
set "step=tests"
call npm test --silent
if errorlevel 1 goto failed
set "step=simulation"
if not defined SIMULATION_SEEDS set "SIMULATION_SEEDS=2000"
call npm run --silent simulate -- --seeds %SIMULATION_SEEDS%
if errorlevel 1 goto failed
set "step=planted flaws"
call node dist-test\test\simulation\flaws-main.js --seeds %SIMULATION_SEEDS% --least 8 --clean-elsewhere
if errorlevel 1 goto failed
exit /b 0
:failed
echo Failed: %step% 1>&2
exit /b 1
