from reconcile.api import Plan as Plan
from reconcile.api import Spec as Spec
from reconcile.api import apply as apply
from reconcile.api import get_supported_stores as get_supported_stores
from reconcile.api import load_plan as load_plan
from reconcile.api import load_spec as load_spec
from reconcile.api import plan as plan
from reconcile.api import reset as reset
from reconcile.api import rollback as rollback
from reconcile.api import status as status
from reconcile.api import watch as watch

__version__: str
